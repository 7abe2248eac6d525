/** Answers what scenarios ask of this side: a file of words each, in the folder that both sides share. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const pollMilliseconds = 50;

/** Returns what ends it. */
export function answerRequests(
  share: string,
  run: (words: readonly string[]) => Promise<string>,
): () => void {
  const asked = join(share, 'asked');
  const answers = join(share, 'answers');
  for (const folder of [asked, answers]) mkdirSync(folder);
  const taken = new Set<string>();
  const answer = async (name: string) => {
    const words = readFileSync(join(asked, name), 'utf8').trim().split(' ');
    const [status, text] = await run(words).then(
      (told) => ['0', told],
      (error: Error) => ['1', `outside ${words.join(' ')}: ${error.message}\n`],
    );
    if (!existsSync(answers)) return; // the guest has ended
    writeFileSync(join(answers, `${name}.part`), `${status}\n${text}`);
    renameSync(join(answers, `${name}.part`), join(answers, name));
  };
  const timer = setInterval(() => {
    for (const name of readdirSync(asked)) {
      if (taken.has(name) || name.endsWith('.part')) continue;
      taken.add(name);
      void answer(name);
    }
  }, pollMilliseconds);
  return () => clearInterval(timer);
}
