/** What is wrong with a port's configuration: found before anything is started. */

export type PortConfigCode =
  /** The device string is not understood. */
  | 'unknown-kind'
  | 'unknown-option'
  | 'bad-option'
  | 'bad-device'
  /** A capture: the file, or the place for the output. */
  | 'missing-file'
  | 'unreadable-file'
  | 'not-a-capture'
  | 'empty-capture'
  | 'wrong-link-type'
  | 'missing-directory'
  | 'unwritable-directory'
  /** A kernel interface. */
  | 'missing-interface'
  | 'interface-down'
  /** A PCI device. */
  | 'missing-device'
  | 'not-a-network-device'
  | 'wrong-driver'
  /** What the machine lacks. */
  | 'missing-dpdk'
  | 'missing-driver'
  | 'missing-hugepages'
  | 'missing-permission'
  | 'missing-peer'
  /** What cannot be together. */
  | 'duplicate-device'
  | 'too-many-lanes';

/**
 * `field` names the place in the configuration (`ports.inside.device`), `found` what is there, and
 * `mend` the command or change that mends it.
 */
export class PortConfigError extends Error {
  readonly code: PortConfigCode;
  readonly field: string;
  readonly found: string;
  readonly mend: string;

  constructor(code: PortConfigCode, field: string, found: string, mend: string) {
    super(`${field}: ${found}. To mend it: ${mend}`);
    this.name = 'PortConfigError';
    this.code = code;
    this.field = field;
    this.found = found;
    this.mend = mend;
  }
}
