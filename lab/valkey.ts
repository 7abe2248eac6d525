/** valkey-server with RDMA, which Debian's binary package lacks: built from its source package. */
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { part } from './cache.ts';
import { refreshPackages, sourceVersions, unpackSource } from './packages.ts';
import { step } from './step.ts';

const buildSeconds = 900; // about 50 s on two free cores

/** The folder with valkey-server and valkey-cli. */
export async function prepareValkey(): Promise<string> {
  await refreshPackages();
  const versions = await sourceVersions('valkey');
  return await part('valkey', versions[0] ?? '', async (folder) => {
    const work = join(folder, 'source');
    mkdirSync(work);
    const source = await unpackSource('valkey', versions, work);
    // -O1 leaves out link-time optimisation, which takes longest; the guest is slow in any case.
    const how = ['BUILD_RDMA=yes', 'MALLOC=libc', 'OPTIMIZATION=-O1'];
    const words = ['make', '-j2', ...how, 'valkey-server', 'valkey-cli'];
    await step('building valkey-server with RDMA', words, {
      cwd: join(source, 'src'),
      seconds: buildSeconds,
    });
    for (const name of ['valkey-server', 'valkey-cli']) {
      copyFileSync(join(source, 'src', name), join(folder, name));
    }
    rmSync(work, { recursive: true });
  });
}
