/** What is wrong with a store at `rdma://`. */

export type RdmaCode =
  /** librxnf_rdma.so, libibverbs, librdmacm or libibverbs' driver for the device. */
  | 'missing-library'
  /** No RDMA device, or its connection manager is not loaded. */
  | 'missing-device'
  | 'missing-permission'
  /** The way to the store leaves by an interface without an RDMA device. */
  | 'address-not-on-device'
  | 'port-down'
  /** The device has no RoCE v2 address (GID) for the interface's IP address. */
  | 'missing-gid'
  /** RLIMIT_MEMLOCK is below what the buffers take. */
  | 'locked-memory'
  /** The device that a connection used is no longer there. */
  | 'device-gone';

/** `field` names the place in the configuration, `found` what is there, `mend` what mends it. */
export class RdmaError extends Error {
  readonly code: RdmaCode;
  readonly field: string;
  readonly found: string;
  readonly mend: string;

  constructor(code: RdmaCode, field: string, found: string, mend: string) {
    super(`${field}: ${found}. To mend it: ${mend}`);
    this.name = 'RdmaError';
    this.code = code;
    this.field = field;
    this.found = found;
    this.mend = mend;
  }
}
