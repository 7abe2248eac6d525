import { runScript } from 'rxnf/testing';
import { expect, it } from 'vitest';
import { openTranslator, translator } from '../../examples/nat.ts';

it('translates a question and its answer', () => {
  runScript(
    translator,
    `
    port lan 10.0.0.1/24
    port wan 203.0.113.1/24
    in  a---b  a: lan 10.0.0.5:4242 > 198.51.100.7:53 udp "question"
    b: wan 198.51.100.7:53 > 203.0.113.1:$p udp "answer"
    out a---b  a: wan 203.0.113.1:$p > 198.51.100.7:53 udp "question"
    b: lan 198.51.100.7:53 > 10.0.0.5:4242 udp "answer"
  `,
  );
});

it('opens over ports of its own', () => {
  const lane = openTranslator();
  expect(lane.breathe()).toBe(0);
  lane.close();
});
