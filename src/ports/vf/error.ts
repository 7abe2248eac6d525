export type VfCode =
  /** No such device, or none that has virtual functions. */
  | 'ERR_VF_DEVICE'
  /** More than there can be, or some are there already. */
  | 'ERR_VF_COUNT'
  /** An address, a VLAN or a driver that is none. */
  | 'ERR_VF_OPTION'
  | 'ERR_VF_PERMISSION'
  | 'ERR_VF_IOMMU'
  | 'ERR_VF_DRIVER'
  /** A process has one open. */
  | 'ERR_VF_IN_USE'
  /** The kernel or a tool refused. */
  | 'ERR_VF_TOOL';

/** What is in the way of virtual functions, and the command that mends it. */
export class VfError extends Error {
  readonly code: VfCode;
  readonly found: string;
  readonly mend: string;

  constructor(code: VfCode, found: string, mend: string) {
    super(`${found}. To mend it: ${mend}`);
    this.name = 'VfError';
    this.code = code;
    this.found = found;
    this.mend = mend;
  }
}
