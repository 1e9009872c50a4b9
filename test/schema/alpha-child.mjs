// Commits with the package whose folder is given, until a commit fails: prints each that was acknowledged.
import { pathToFileURL } from 'node:url';

const [folder, kind, where, schema] = process.argv.slice(2);
const kode = await import(pathToFileURL(`${folder}/dist/index.js`).href);
const store =
  kind === 'sqlite' ? new kode.SqliteStore(where) : new kode.PostgresStore(where, undefined, { schema });
await store.saveInfo('writer', { templateId: 't' });
try {
  for (let n = 0; ; n += 1) {
    await store.appendMessages('writer', [{ role: 'user', content: [{ type: 'text', text: `${n}` }] }]);
    process.stdout.write(`${n}\n`);
  }
} catch (error) {
  process.stdout.write(`commit refused: ${error.code ?? error.name}\n`);
}
await store.acquireAgentLock('writer').then(
  () => process.stdout.write('lease given\n'),
  () => process.stdout.write('lease refused\n'),
);
await store.close().catch(() => undefined);
