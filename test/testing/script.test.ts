import { AssertionError } from 'node:assert';
import { drop, forward, networkFunction, parse, trait, transform } from 'rxnf';
import { runScript, ScriptError } from 'rxnf/testing';
import { describe, expect, it } from 'vitest';

const tooSmall = drop('test-too-small');

/** Forwards from `a` to `b` and back; UDP to port 9 is dropped. */
const crossing = networkFunction(
  'crossing',
  [],
  () => (packets) =>
    packets.pipe(
      parse({ ports: { a: { acceptAny: true }, b: { acceptAny: true } } }),
      transform((packet) => {
        if (packet.has(trait.udp) && packet.destinationPort === 9) return tooSmall;
        return forward(1 - packet.ingress);
      }),
    ),
);

const run = (text: string, options = {}) =>
  runScript(crossing, text, { ports: ['a', 'b'], ...options });

function failureOf(text: string): string {
  try {
    run(text);
  } catch (error) {
    if (error instanceof AssertionError) return error.message;
    throw error;
  }
  throw new Error('the script passed');
}

describe('a packet script', () => {
  it('passes where each packet comes in its frame, on its port', () => {
    const { statistics, outputs } = run(`
      # two ways
      in  -a(bc)-|
      a: a 10.0.0.5:1 > 10.0.0.6:2 udp "x"
      b: b 10.0.0.6:2 > 10.0.0.5:1 udp "y"
      c: a 10.0.0.5:1 > 10.0.0.6:9 udp
      out -a(b)
      a: b 10.0.0.5:1 > 10.0.0.6:2 udp "x"
      b: a 10.0.0.6:2 > 10.0.0.5:1 udp "y"
      drops test-too-small=1
    `);
    expect(statistics.received).toEqual([2, 1]);
    expect(outputs.map(({ nanoseconds }) => nanoseconds)).toEqual([1e6, 2e6]);
  });

  it('takes the ports that its packets name, and those that it declares', () => {
    runScript(
      crossing,
      `
      in  a   a: a 10.0.0.5:1 > 10.0.0.6:2 udp
      out a   a: b 10.0.0.5:1 > 10.0.0.6:2 udp
    `,
    );
    runScript(
      crossing,
      `
      port a mac=02:00:00:00:00:aa
      port b mtu=1400 10.0.0.0/24
      in  a   a: a 10.0.0.5:1 > 10.0.0.6:2 udp
      out a   a: b 10.0.0.5:1 > 10.0.0.6:2 udp to=02:00:00:00:00:aa from=@10.0.0.5
    `,
    );
  });

  it('skips time, counts frames as long as it says, and goes on after "then"', () => {
    const { outputs } = run(`
      frame 10ms
      in  -a 2s a    a: a 10.0.0.5:1 > 10.0.0.6:2 udp
      out -a 2s a    a: b 10.0.0.5:1 > 10.0.0.6:2 udp
      then 1m
      in  a
      out a
    `);
    expect(outputs.map(({ nanoseconds }) => nanoseconds / 1e6)).toEqual([10, 2020, 62_030]);
  });

  it('binds what it finds, and compares with it and sends it from then on', () => {
    const { bindings } = run(`
      in  a   a: a 10.0.0.5:77 > 10.0.0.6:2 udp id=5 "x"
      out a   a: b $host:$port > 10.0.0.6:2 udp
      then
      in  b   b: b 10.0.0.6:2 > $host:$port tcp S seq=1
      out b   b: a 10.0.0.6:2 > 10.0.0.5:77 tcp S
      then
      in  c   c: a 10.0.0.5 > 10.0.0.6 icmp echo id=8 seq=9
      out c   c: b $host > $_ icmp echo id=$id seq=$_
    `);
    expect(bindings).toEqual({ host: '10.0.0.5', port: 77, id: 8 });
  });

  it('compares only the fields that are written, and all checksums', () => {
    run(`
      in  a   a: a 10.0.0.5:1 > 10.0.0.6:2 ttl=9 id=5 df tcp SA seq=4 ack=5 mss=99 "payload"
      out a   a: b 10.0.0.5:1 > 10.0.0.6:2 tcp
    `);
    const damaged = 'a 10.0.0.5:1 > 10.0.0.6:2 udp checksum=bad "x"';
    run(`
      in  a   a: ${damaged}
      out a   a: b 10.0.0.5:1 > 10.0.0.6:2 udp checksum=bad
    `);
    const report = failureOf(`
      in  a   a: ${damaged}
      out a   a: b 10.0.0.5:1 > 10.0.0.6:2 udp
    `);
    expect(report).toContain('udp.checksum: expected right, got bad');
  });
});

describe('a packet script that fails', () => {
  it.each([
    ['another payload', 'udp "y"', 'payload: expected 79, got 78'],
    ['another TTL', 'ttl=63 udp', 'ipv4.timeToLive: expected 63, got 64'],
    ['another transport', 'tcp', 'tcp: expected tcp, got ipv4/udp'],
    [
      'another link address',
      'udp to=@10.0.0.6',
      'ethernet.destination: expected 02:01:0a:00:00:06, got 02:00:00:00:01:00',
    ],
    ['a flag', 'df udp', 'ipv4.dontFragment: expected true, got false'],
  ])('says what differs: %s', (_what, rest, difference) => {
    const report = failureOf(`
      in  -a  a: a 10.0.0.5:1 > 10.0.0.6:2 udp "x"
      out -a  a: b 10.0.0.5:1 > 10.0.0.6:2 ${rest}
    `);
    expect(report).toContain(
      `!      1ms b        expected a: 10.0.0.5:1 > 10.0.0.6:2 ${rest}  (line 3)`,
    );
    expect(report).toContain('got      10.0.0.5:1 > 10.0.0.6:2');
    expect(report).toContain(difference);
  });

  it('shows a packet that came in another frame where it was expected, and where it came', () => {
    const report = failureOf(`
      in  a   a: a 10.0.0.5:1 > 10.0.0.6:2 udp "x"
      out -a  a: b 10.0.0.5:1 > 10.0.0.6:2 udp "x"
    `);
    expect(report.split('\n').slice(0, 6)).toEqual([
      'the packet script failed',
      '       0ms a        in       a: 10.0.0.5:1 > 10.0.0.6:2 udp "x"',
      '!      0ms b        expected nothing',
      '                    got      10.0.0.5:1 > 10.0.0.6:2 from=02:01:0a:00:00:05 to=02:00:00:00:01:00 udp "x"',
      '!      1ms b        expected a: 10.0.0.5:1 > 10.0.0.6:2 udp "x"  (line 3)',
      '                    got      nothing',
    ]);
  });

  it('counts drops that differ', () => {
    const script = (drops: string) => `
      in  a   a: a 10.0.0.5:1 > 10.0.0.6:9 udp
      drops ${drops}
    `;
    run(script('test-too-small=1'));
    expect(failureOf(script('none'))).toContain('drops test-too-small=1, expected 0');
    expect(failureOf(script('test-too-small=2'))).toContain('drops test-too-small=1, expected 2');
    expect(failureOf(script('bad-checksum=1 test-too-small=1'))).toContain(
      'drops bad-checksum=0, expected 1',
    );
  });

  it('does not bind from a packet that differs', () => {
    const report = failureOf(`
      in  a   a: a 10.0.0.5:77 > 10.0.0.6:2 udp "x"
      out a   a: b 10.0.0.5:$p > 10.0.0.6:2 udp "y"
      then
      in  b   b: b 10.0.0.6:2 > 10.0.0.5:$p udp
    `);
    expect(report).toContain('not sent: nothing is bound to $p yet');
  });

  it('holds a name to what it was bound to', () => {
    const report = failureOf(`
      in  ab  a: a 10.0.0.5:77 > 10.0.0.6:2 udp
      b: a 10.0.0.5:78 > 10.0.0.6:2 udp
      out aa  a: b 10.0.0.5:$p > 10.0.0.6:2 udp
    `);
    expect(report).toContain('udp.source: expected 77, got 78');
    expect(report).toContain('bound: $p=77');
    expect(
      failureOf(`
        in  a  a: a 10.0.0.5:77 > 10.0.0.6:78 udp
        out a  a: b 10.0.0.5:$p > 10.0.0.6:$p udp
      `),
    ).toContain('udp.destination: expected 77 ($p), got 78');
  });
});

describe('a script with a mistake', () => {
  it.each([
    ['in a', '"a" of "in" has no packet'],
    ['in a   a: a 10.0.0.5 > x udp', 'expected an address'],
    [
      'in a   a: a 10.0.0.5:1 > 10.0.0.6:2 udp\n a: b 10.0.0.5:1 > 10.0.0.6:2 udp',
      '"a" of "in" is defined twice',
    ],
    ['a: a 10.0.0.5:1 > 10.0.0.6:2 udp', 'before any "in" or "out"'],
    ['in (a', 'a group without its ")"'],
    ['in +', '"+" means nothing in a diagram'],
    ['then soon', '"soon" is no duration'],
    ['marbles', '"marbles" is none of'],
    ['drops many', '"many" is no REASON=COUNT'],
    ['store latenzy=3', '"latenzy=3" is none of latency= conflicts= seed='],
    ['port', 'a port needs a name'],
    ['in -\n out a   a: z 10.0.0.5:1 > 10.0.0.6:2 udp', 'no port is named z'],
  ])('%s', (text, problem) => {
    expect(() => run(text)).toThrow(ScriptError);
    expect(() => run(text)).toThrow(problem);
  });

  it('names its line', () => {
    expect(() => run('\n\n in a')).toThrow(/^line 3: /);
  });
});
