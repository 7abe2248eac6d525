/** A capture file as a port's input. */
import { readFileSync } from 'node:fs';
import { type Capture, CaptureError, readCapture } from '../wire/capture.ts';

/**
 * The packets of a file; of one that is cut short or damaged, those before the damage.
 *
 * @throws {CaptureError} where the file is no capture; a system error where it cannot be read
 */
export function readInput(file: string): Capture {
  try {
    return readCapture(readFileSync(file));
  } catch (error) {
    if (error instanceof CaptureError && error.capture !== undefined) return error.capture;
    throw error;
  }
}
