import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { busyTicks, Others, processTicks } from '../../bench/store/others.ts';

describe('the load of others', () => {
  it('is read from what Linux tells of processors and processes', () => {
    //                       user nice system idle iowait irq softirq steal guest
    expect(busyTicks('cpu  100 20 3 9999 888 77 66 4 0 0\ncpu0 1 1 1')).toBe(127);
    const before = '42 (a name) R 1 2) R 1 42 42 0 -1 4194560 1 2 3 4';
    expect(processTicks(`${before} 1000 200 30 4 20 0 1 0`)).toBe(1234);
  });

  it('has what a stranger burns in it, and not what a server or a child does', async () => {
    const burner = spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' });
    const pid = burner.pid as number;
    const asStranger = new Others([], 0);
    const asServer = new Others([pid], 0);
    const [strange, own] = [asStranger.read(), asServer.read()];
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // Others may burn as much again; what differs between the two is the burner's.
    const stranger = asStranger.since(strange);
    const burnt = stranger - asServer.since(own);
    burner.kill('SIGKILL');
    await once(burner, 'close');
    expect(burnt).toBeGreaterThan(0.2);
    expect(asStranger.since(strange)).toBeLessThan(stranger - burnt / 2);
  });
});
