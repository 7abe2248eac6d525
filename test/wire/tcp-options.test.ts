import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex, viewOf } from '../../src/wire/bytes.ts';
import * as tcp from '../../src/wire/tcp.ts';
import * as tcpOptions from '../../src/wire/tcp-options.ts';
import { options, u8, u16, u32 } from './arbitraries.ts';

function header(bytes: readonly number[]): DataView {
  const view = viewOf(new Uint8Array(60).fill(0xa5));
  tcp.write(view, 0, { source: 1, destination: 2, options: Uint8Array.from(bytes) });
  return view;
}

describe('TCP options', () => {
  it('have one encoding', () => {
    const bytes = tcpOptions.encodeOptions({
      maximumSegmentSize: 1460,
      windowScale: 7,
      selectiveAcknowledgementPermitted: true,
      timestamp: 0x01020304,
      timestampEcho: 5,
    });
    expect(toHex(bytes)).toBe('020405b40402080a01020304000000050303 0700'.replace(' ', ''));
  });

  it('are read as they were written, whichever there are', () => {
    const some = fc.record(
      {
        maximumSegmentSize: u16,
        windowScale: u8,
        selectiveAcknowledgementPermitted: fc.constant(true),
        stamps: fc.record({ timestamp: u32, timestampEcho: u32 }),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(some, ({ stamps, ...rest }) => {
        const wanted = { ...rest, ...stamps };
        expect(tcpOptions.decodeOptions(tcpOptions.encodeOptions(wanted))).toEqual(wanted);
      }),
    );
  });

  it('are found behind others, which are passed by their length', () => {
    const view = header([1, 1, 3, 3, 7, 253, 4, 2, 4, 2, 4, 5, 0xb4]);
    expect(tcpOptions.findOption(view, 0, tcpOptions.OPTION.maximumSegmentSize)).toBe(20 + 9);
    expect(tcpOptions.maximumSegmentSize(view, 0)).toBe(1460);
  });

  it('change in place', () => {
    const view = header([1, 1, 2, 4, 5, 0xb4]);
    expect(tcpOptions.setMaximumSegmentSize(view, 0, 1360)).toBe(true);
    expect(tcpOptions.maximumSegmentSize(view, 0)).toBe(1360);
    expect(tcpOptions.setMaximumSegmentSize(header([1, 3, 3, 7]), 0, 1360)).toBe(false);
  });

  it.each([
    ['an end before it', [0, 2, 4, 5, 0xb4]],
    ['a zero length', [3, 0, 2, 4, 5, 0xb4]],
    ['a length of one', [3, 1, 2, 4, 5, 0xb4]],
    ['a length beyond the header', [3, 40, 2, 4, 5, 0xb4]],
    ['another length of its own', [2, 3, 5, 0]],
  ])('are not found behind %s', (_case, bytes) => {
    expect(tcpOptions.maximumSegmentSize(header(bytes), 0)).toBeUndefined();
  });

  it('end every search within the header, whatever their bytes', () => {
    fc.assert(
      fc.property(options, u8, (bytes, kind) => {
        const at = tcpOptions.findOption(header([...bytes]), 0, kind);
        expect(at === -1 || (at >= 20 && at < 20 + bytes.length)).toBe(true);
      }),
    );
  });
});
