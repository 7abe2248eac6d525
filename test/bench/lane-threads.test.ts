/** What lanes that are measured together come to. */
import { expect, it } from 'vitest';
import { together } from '../../bench/datapath/lane-threads.ts';

it('weighs the cost of a packet by the packets, and adds what was dropped', () => {
  const common = { nsPerPacket: 0 };
  const answer = together([
    { ...common, mpps: 3, packets: 3000, cpuSeconds: 3e-3, dropped: { 'no-route': 1 } },
    {
      ...common,
      mpps: 1,
      packets: 1000,
      cpuSeconds: 5e-3,
      dropped: { 'no-route': 2, 'too-big': 4 },
    },
  ]);
  expect(answer).toEqual({
    mpps: 4,
    nsPerPacket: 2000,
    packets: 4000,
    dropped: { 'no-route': 3, 'too-big': 4 },
  });
});
