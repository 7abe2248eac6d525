import { describe, expect, test } from 'vitest';
import { Flow, type Protocol } from '../../lab/outside/flow.ts';
import { ip } from '../../src/wire/address.ts';
import { compose, type Description, dissect, type Frame } from '../../src/wire/frame.ts';
import { isMalformed } from '../../src/wire/malformed.ts';

const hop = { source: 0x0200_0000_0001, destination: 0x0200_0000_0002 };
const external = ip('198.18.0.1');
const protocols: readonly Protocol[] = ['udp', 'tcp', 'icmp'];

const flowOf = (protocol: Protocol) =>
  new Flow({
    ...{ number: 3, protocol, pool: [external] },
    ...{ client: ip('10.99.0.103'), server: ip('203.0.113.4') },
  });

function read(bytes: Uint8Array): Frame {
  const frame = dissect(bytes, { verify: true });
  if (isMalformed(frame)) throw new Error(frame);
  return frame;
}

/** As a NAT does it, one hop on. */
function translated(bytes: Uint8Array, change: Description, timeToLive = 63): Frame {
  const frame = read(bytes);
  const ends = frame.udp ?? frame.tcp ?? frame.icmp;
  const name = frame.udp ? 'udp' : frame.tcp ? 'tcp' : 'icmp';
  const description = {
    ...frame,
    ipv4: { ...frame.ipv4, timeToLive, ...change.ipv4 },
    [name]: { ...ends, ...change[name] },
    ...(change.payload && { payload: change.payload }),
  };
  return read(compose(description as Description));
}

const out = (port: number): Description => ({
  ipv4: { source: external, destination: ip('203.0.113.4') },
  udp: { source: port, destination: 7 },
  tcp: { source: port, destination: 7 },
  icmp: { type: 8, identifier: port },
});
const back: Description = {
  ipv4: { source: ip('203.0.113.4'), destination: ip('10.99.0.103') },
  udp: { source: 7, destination: 20_003 },
  tcp: { source: 7, destination: 20_003 },
  icmp: { type: 0, identifier: 20_003 },
};

describe.each(protocols)('a flow of the generator, %s', (protocol) => {
  test('takes what was translated as it should be, both ways', () => {
    const flow = flowOf(protocol);
    for (const round of [0, 1, 12]) {
      expect(flow.arrivedAtServer(translated(flow.request(round, hop), out(1024)))).toBe(round);
      expect(flow.arrivedAtClient(translated(flow.reply(round, hop), back))).toBe(round);
    }
    expect(flow.faults).toEqual([]);
    expect(flow.bindingText).toContain('as 198.18.0.1:1024');
  });

  test('finds fault with another binding, payload, address, or time to live', () => {
    const flow = flowOf(protocol);
    const request = flow.request(1, hop);
    flow.arrivedAtServer(translated(request, out(1024)));
    flow.arrivedAtServer(translated(request, out(1026)));
    flow.arrivedAtServer(translated(request, { ...out(1026), payload: new Uint8Array(102) }));
    flow.arrivedAtServer(translated(request, out(1026), 64));
    flow.arrivedAtServer(read(request));
    expect(flow.faults.map((fault) => fault.split(': ')[1])).toEqual([
      'was 198.18.0.1:1024, is 198.18.0.1:1026',
      'round 0 was altered',
      'round 1 came with a time to live of 64',
      'came from 10.99.0.103, which is not of the pool',
    ]);
  });
});
