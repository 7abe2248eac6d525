/**
 * How a lane's thread spends its time: polling, and doing what cannot be done inside a breath between
 * turns of many breaths.
 *
 * A turn is 512 breaths: going round the event loop costs 1.5 to 4 us, so that is less than 1 % of
 * breaths of 1 us, which bring a dozen packets, and 0.2 % of full ones. A turn of full bursts lasts
 * 512 x 128 packets x 40 ns = 2.6 ms, which bounds how late a message is heard.
 *
 * An idle lane sleeps: after a turn that ends in 256 empty breaths for 50 us, then twice as long each
 * time, to 500 us at the most. A packet that ends the rest waits that long and no packet after it; a
 * receive ring of 1024 fills in 500 us at 2 million packets a second. `busyPoll` never sleeps.
 */
export const breathsPerTurn = 512;
export const emptyBeforeSleep = 256;
/** Once asleep, one breath settles what the one before it received. */
const breathsAwake = 2;
export const shortestSleepMicroseconds = 50;
export const longestSleepMicroseconds = 500;

export interface LoopOptions {
  /** One breath; returns packets received. */
  readonly breathe: () => number;
  /** Called after every turn and every sleep; false ends the loop. */
  readonly between: () => boolean;
  /** Blocks the thread. */
  readonly sleep: (microseconds: number) => void;
  readonly busyPoll: boolean;
}

/** Runs until `between` says no; throws what `breathe` throws. */
export async function runLoop(options: LoopOptions): Promise<void> {
  let empty = 0;
  let rest = 0;
  do {
    empty = turn(options.breathe, empty, rest > 0 ? breathsAwake : breathsPerTurn);
    if (empty === 0) rest = 0;
    else if (empty >= emptyBeforeSleep && !options.busyPoll) {
      rest = Math.min(longestSleepMicroseconds, rest === 0 ? shortestSleepMicroseconds : rest * 2);
      options.sleep(rest);
    }
    await new Promise(setImmediate);
  } while (options.between());
}

/** Some breaths; returns how many in a row, up to the last of them, were empty. */
function turn(breathe: () => number, emptyBefore: number, breaths: number): number {
  let empty = emptyBefore;
  for (let i = 0; i < breaths; i++) empty = breathe() === 0 ? empty + 1 : 0;
  return empty;
}

/** A sleep that costs no timer of the event loop. */
export function sleeper(): (microseconds: number) => void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  return (microseconds) => void Atomics.wait(cell, 0, 0, microseconds / 1000);
}
