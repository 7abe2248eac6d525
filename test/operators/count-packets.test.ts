import { countPackets, dropRows, type Pipeline, trait, where } from 'rxnf';
import { describe, expect, it } from 'vitest';
import { bench, send, udp } from './bench.ts';

describe('countPackets', () => {
  it('is there at zero before the first packet', () => {
    using harness = bench(() => (packets) => packets.pipe(countPackets('quiet')));
    expect(harness.lane.counts()).toMatchObject({ quiet: 0 });
  });

  it('counts the pending packets of its mask, on each lane apart', () => {
    const counting = (): Pipeline => (packets) =>
      packets.pipe(
        countPackets('datagrams', where({ all: [trait.udp] })),
        dropRows([{ where: where({ all: [trait.udp] }), reason: 'counted' }]),
        countPackets('left'),
      );
    using harness = bench(counting);
    using other = bench(counting);
    send(harness, udp(1), udp(2), '10.0.0.1:1 > 10.0.0.2:2 tcp S');
    send(other, udp(1));
    expect(harness.lane.counts()).toMatchObject({ datagrams: 2, left: 1 });
    expect(other.lane.counts()).toMatchObject({ datagrams: 1, left: 0 });
  });

  it('counts together what has one name', () => {
    using harness = bench(
      () => (packets) => packets.pipe(countPackets('twice'), countPackets('twice')),
    );
    send(harness, udp(1));
    expect(harness.lane.counts()).toMatchObject({ twice: 2 });
  });
});
