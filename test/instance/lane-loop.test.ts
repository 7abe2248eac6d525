import { describe, expect, it } from 'vitest';
import {
  breathsPerTurn,
  emptyBeforeSleep,
  longestSleepMicroseconds,
  runLoop,
} from '../../src/instance/lane-loop.ts';

/** Runs some turns over what each breath brings; the last entry stands for all further ones. */
async function run(brings: readonly number[], turns: number, busyPoll = false) {
  const sleeps: { microseconds: number; breath: number }[] = [];
  let breath = 0;
  await runLoop({
    busyPoll,
    breathe: () => brings[Math.min(breath++, brings.length - 1)],
    sleep: (microseconds) => void sleeps.push({ microseconds, breath }),
    between: () => --turns > 0,
  });
  return { sleeps, breaths: breath };
}

describe('the loop of a lane', () => {
  it('never sleeps while packets come, however few', async () => {
    const everyHundredth = Array.from({ length: 100_000 }, (_, i) => (i % 100 === 0 ? 1 : 0));
    const { sleeps, breaths } = await run(everyHundredth, 50);
    expect(sleeps).toEqual([]);
    expect(breaths).toBe(50 * breathsPerTurn);
  });

  it('sleeps once idle, longer each time, and never longer than its bound', async () => {
    const { sleeps } = await run([0], 8);
    expect(sleeps[0]).toEqual({ microseconds: 50, breath: breathsPerTurn });
    expect(sleeps.map(({ microseconds }) => microseconds)).toEqual([
      ...[50, 100, 200, 400],
      ...[longestSleepMicroseconds, longestSleepMicroseconds],
      ...[longestSleepMicroseconds, longestSleepMicroseconds],
    ]);
  });

  it('does not call a lane idle before enough empty breaths in a row', async () => {
    const late = Array.from({ length: breathsPerTurn }, (_, i) =>
      i === breathsPerTurn - emptyBeforeSleep ? 1 : 0,
    );
    const { sleeps } = await run(late, 1);
    expect(sleeps).toEqual([]);
  });

  it('polls at full speed again from the first packet on', async () => {
    const idle = new Array<number>(breathsPerTurn).fill(0);
    const { sleeps, breaths } = await run([...idle, 0, 1, 1], 5);
    expect(sleeps).toHaveLength(1);
    expect(breaths).toBeGreaterThan(3 * breathsPerTurn);
  });

  it('never sleeps when told to poll', async () => {
    const { sleeps, breaths } = await run([0], 5, true);
    expect(sleeps).toEqual([]);
    expect(breaths).toBe(5 * breathsPerTurn);
  });

  it('passes on what a breath throws', async () => {
    const broken = runLoop({
      busyPoll: false,
      breathe: () => {
        throw new Error('torn');
      },
      sleep: () => undefined,
      between: () => true,
    });
    await expect(broken).rejects.toThrow('torn');
  });
});
