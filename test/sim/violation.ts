/** A promise that was broken, with its number in the design. */
export class Violation extends Error {
  readonly promise: number;

  constructor(promise: number, message: string) {
    super(message);
    this.promise = promise;
  }
}
