// Commits with the package whose folder is given, until a commit fails or its input ends: prints each that was
// acknowledged.
import { pathToFileURL } from 'node:url';

const [folder, kind, where, schema] = process.argv.slice(2);
const kode = await import(pathToFileURL(`${folder}/dist/index.js`).href);
const open = {
  sqlite: () => new kode.SqliteStore(where),
  postgres: () => new kode.PostgresStore(where, undefined, { schema }),
  json: () => new kode.JSONStore(where),
};
const store = open[kind]();
let ended = false;
process.stdin.on('end', () => {
  ended = true;
});
process.stdin.resume();
try {
  if (!(await store.exists('writer'))) await store.saveInfo('writer', { templateId: 't' });
  for (let n = 0; !ended; n += 1) {
    await store.appendMessages('writer', [{ role: 'user', content: [{ type: 'text', text: `${n}` }] }]);
    process.stdout.write(`${n}\n`);
  }
} catch (error) {
  process.stdout.write(`commit refused: ${error.code ?? error.name}\n`);
}
if (!ended)
  await store.acquireAgentLock('writer').then(
    () => process.stdout.write('lease given\n'),
    () => process.stdout.write('lease refused\n'),
  );
await store.close().catch(() => undefined);
process.stdin.destroy();
