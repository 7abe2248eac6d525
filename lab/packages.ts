/** Debian packages by name, through apt with lists and archives of the lab's own. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cache } from './cache.ts';
import { StepError, step } from './step.ts';

const folder = join(cache, 'apt');
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const listsDays = 7; // how old package lists may be

const suites = (mirror: string) => [
  `deb [signed-by=${keyring}] ${mirror} bookworm main`,
  `deb [signed-by=${keyring}] ${mirror} bookworm-backports main`,
  `deb-src [signed-by=${keyring}] ${mirror} trixie main`,
  // Where a mirror lists a version of trixie that it has not got yet.
  `deb-src [signed-by=${keyring}] ${mirror} forky main`,
];

/** Where this machine has its own packages from, or RXNF_LAB_MIRROR. */
async function findMirror(): Promise<string> {
  const said = process.env['RXNF_LAB_MIRROR'];
  if (said !== undefined) return said;
  const format = ['--format', '$(RELEASE) $(REPO_URI)', 'Created-By: Packages'];
  const targets = await step('looking up the mirror', ['apt-get', 'indextargets', ...format]);
  const uri = /^(?:bookworm|trixie|forky|sid|stable|testing|unstable) (\S+)$/m.exec(targets)?.[1];
  if (uri === undefined) {
    throw new Error('apt has no mirror of Debian; to mend it: RXNF_LAB_MIRROR=URL npm run lab');
  }
  return uri.replace(/\/$/, '');
}

const options = Object.entries({
  'Dir::State': join(folder, 'state'),
  'Dir::State::status': '/var/lib/dpkg/status',
  'Dir::Cache': join(folder, 'cache'),
  'Dir::Etc::SourceList': join(folder, 'sources.list'),
  'Dir::Etc::SourceParts': '/dev/null',
  'Dir::Etc::Preferences': '/dev/null',
  'Dir::Etc::PreferencesParts': '/dev/null',
  'APT::Sandbox::User': 'root',
  'APT::Get::AllowUnauthenticated': 'false',
  'Acquire::Retries': '2',
  'Acquire::http::Timeout': '30',
}).flatMap(([name, value]) => ['-o', `${name}=${value}`]);

/** Refreshes the package lists when they are old. */
export async function refreshPackages(): Promise<void> {
  const stamp = join(folder, 'refreshed');
  const list = `${suites(await findMirror()).join('\n')}\n`;
  const fresh =
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === list &&
    Date.now() - statSync(stamp).mtimeMs < listsDays * 24 * 3600 * 1000;
  if (fresh) return;
  for (const each of ['state/lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(folder, each), { recursive: true });
  }
  writeFileSync(join(folder, 'sources.list'), list);
  await step('refreshing package lists', ['apt-get', ...options, 'update'], { seconds: 180 });
  writeFileSync(stamp, list);
}

/** The version that would be installed, which a part of the cache is stamped with. */
export async function candidate(name: string): Promise<string> {
  const text = await step(`looking up ${name}`, ['apt-cache', ...options, 'policy', name]);
  const backport = /^ {5}(\S+bpo\S+) /m.exec(text)?.[1];
  const version = backport ?? /Candidate: (\S+)/.exec(text)?.[1];
  if (version === undefined || version === '(none)')
    throw new Error(`no package ${name} in Debian`);
  return version;
}

/** Unpacks packages and what they depend on that this machine has not installed. */
export async function unpack(names: readonly string[], into: string): Promise<void> {
  const archives = join(folder, 'cache', 'archives');
  for (const name of packagesIn(archives)) rmSync(join(archives, name));
  const title = `fetching ${names.join(' ')}`;
  const words = ['install', '-y', '-d', '--reinstall', '--no-install-recommends'];
  await step(title, ['apt-get', ...options, ...words, '-t', 'bookworm-backports', ...names], {
    seconds: 400,
  });
  for (const name of packagesIn(archives)) {
    await step(`unpacking ${name}`, ['dpkg-deb', '-x', join(archives, name), into]);
  }
}

/** The source package, unpacked with Debian's patches applied, of the first version that can be had; resolves to its folder. */
export async function unpackSource(
  name: string,
  [version, ...others]: readonly string[],
  into: string,
): Promise<string> {
  const words = ['apt-get', ...options, 'source', `${name}=${version}`];
  try {
    await step(`fetching the source of ${name} ${version}`, words, { cwd: into, seconds: 300 });
  } catch (error) {
    if (!(error instanceof StepError) || others.length === 0) throw error;
    console.log(`lab: ${error.message.split('\n')[0]}; trying ${others[0]}`);
    return await unpackSource(name, others, into);
  }
  const found = readdirSync(into).find((each) => statSync(join(into, each)).isDirectory());
  if (found === undefined) throw new Error(`the source package ${name} is empty`);
  return join(into, found);
}

/** Oldest suite first. */
export async function sourceVersions(name: string): Promise<string[]> {
  const text = await step(`looking up ${name}`, ['apt-cache', ...options, 'madison', name]);
  const lines = text.split('\n').map((line) => line.split('|').map((word) => word.trim()));
  const of = (suite: string) =>
    lines.flatMap(([, version, from]) =>
      version !== undefined && from?.endsWith(` ${suite}/main Sources`) ? [version] : [],
    );
  return ['trixie', 'forky'].flatMap(of);
}

function packagesIn(archives: string): string[] {
  return readdirSync(archives).filter((name) => name.endsWith('.deb'));
}
