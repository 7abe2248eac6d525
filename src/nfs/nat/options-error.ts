/** A mistake in the options, with the field that it is in and what to do. */
export class NatOptionsError extends Error {
  readonly code = 'ERR_NAT_OPTIONS';
  readonly field: string;

  constructor(field: string, message: string) {
    super(`${field}: ${message}`);
    this.field = field;
  }
}
