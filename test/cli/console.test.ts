import { describe, expect, it } from 'vitest';
import { testConsole } from './console.ts';

describe('the console', () => {
  it('writes an event as one JSON line on standard output', () => {
    const { console, out, error } = testConsole();
    console.event({ event: 'ready', lanes: 1 });
    expect(out.text).toBe('{"event":"ready","lanes":1}\n');
    expect(error.text).toBe('');
  });

  it('draws a table over the one before it, on a terminal', () => {
    const { console, error } = testConsole(true);
    console.draw('a\nb');
    console.draw('c\nd');
    expect(error.text).toBe('\x1b[2Ka\n\x1b[2Kb\n\x1b[2A\r\x1b[2Kc\n\x1b[2Kd\n');
  });

  it('draws below what was written in between', () => {
    const { console, error } = testConsole(true);
    console.draw('a');
    console.log({ event: 'callback-error' });
    console.draw('b');
    expect(error.text).toBe('\x1b[2Ka\n{"event":"callback-error"}\n\x1b[2Kb\n');
  });

  it('draws nothing where there is no terminal', () => {
    const { console, error } = testConsole();
    console.draw('a');
    expect(error.text).toBe('');
  });
});
