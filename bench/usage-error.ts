/** The command line asks for something that is not there: the message is all there is to say. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
