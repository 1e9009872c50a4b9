import { existsSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { SqliteStore } from '../../src/sqlite/store.ts';

// Backs the store up, and dies in the middle of it.
const [path = '', target = ''] = process.argv.slice(2);
const store = new SqliteStore(path);
await store.open();
const copying = store.backup(target).then(() => console.log('finished'));

const folder = dirname(target);
const begun = () => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.partial'));
// A turn of the event loop at a time, as the copying does, which takes some twenty.
const turn = () => new Promise((resolve) => setImmediate(resolve));
while (!begun()) await turn();
for (let n = 0; n < 5; n += 1) await turn();
console.log('in the middle');
process.kill(process.pid, 'SIGKILL');
await copying;
