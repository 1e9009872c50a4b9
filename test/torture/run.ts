// Kills writers, and servers, in the midst of their work: npm run torture [-- [KILLS] [BACKEND ...]].
import { messageOf } from '../../src/model/foreign.ts';
import { cleanUpAfterFile } from '../support/after-file.ts';
import { GROUNDS, type Ground } from './grounds.ts';
import { surviveKill } from './torture.ts';

const DEFAULT_KILLS = 100;
/** Some writers die as they begin, some after many rounds. */
const MAX_SAID = 60;
const MAX_WORK_MS = 20;

const given = process.argv.slice(2);
const counts = given.filter((argument) => /^\d+$/.test(argument));
const names = given.filter((argument) => !/^\d+$/.test(argument));
const unknown = names.filter((name) => !(name in GROUNDS));
if (unknown.length > 0 || counts.length > 1) {
  console.error(`Usage: npm run torture [-- [KILLS] [${Object.keys(GROUNDS).join('|')} ...]]`);
  process.exit(2);
}

async function torture(ground: Ground, kills: number): Promise<boolean> {
  const began = Date.now();
  let acknowledged = 0;
  let losses = 0;
  for (let n = 1; n <= kills; n += 1) {
    const instead = n % 2 === 0 ? ground.killServer : undefined;
    const after = { said: 1 + Math.floor(Math.random() * MAX_SAID), ms: Math.random() * MAX_WORK_MS };
    try {
      acknowledged += await surviveKill({ place: ground.place, prefix: `k${n}`, after, instead });
    } catch (error) {
      losses += 1;
      const what = instead ? 'the server' : 'the writer';
      console.error(`${ground.name}: kill ${n}, of ${what}: ${messageOf(error)}`);
      // What is broken stays broken: further kills say nothing new.
      break;
    }
  }
  const seconds = Math.round((Date.now() - began) / 1_000);
  const verdict = losses === 0 ? 'nothing lost' : 'LOST';
  console.log(
    `${ground.name}: ${kills} kills, ${acknowledged} acknowledged writes, ${verdict}, ${seconds} s`,
  );
  await ground.close(losses > 0);
  return losses === 0;
}

const results: boolean[] = [];
for (const name of names.length > 0 ? names : Object.keys(GROUNDS)) {
  const ground = await GROUNDS[name]?.();
  if (ground) results.push(await torture(ground, Number(counts[0] ?? DEFAULT_KILLS)));
}
await cleanUpAfterFile();
const survived = results.filter((whole) => whole).length;
console.log(`${survived} of ${results.length} backends survived`);
process.exitCode = survived === results.length ? 0 : 1;
