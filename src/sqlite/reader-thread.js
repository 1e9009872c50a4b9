// A thread with a read-only connection of its own: heavy reads run here, so that they hold up nobody.
// JavaScript, because a thread loads its file by itself, in the source tree as well as in the build.
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';

if (parentPort === null) throw new Error('This file is the start of a worker thread.');
const port = parentPort;
const db = new Database(workerData.path, { readonly: true, timeout: workerData.busyTimeoutMs });

port.on('message', (message) => {
  if (message === 'end') {
    if (db.inTransaction) db.exec('COMMIT');
    return;
  }
  port.postMessage(answer(message));
});

function answer(question) {
  try {
    // The first read of a transaction decides which moment all of them see.
    if (!db.inTransaction) db.exec('BEGIN');
    const statement = db.prepare(question.text);
    if (question.shape === 'arrays') statement.raw();
    if (question.shape === 'values') statement.pluck();
    return { rows: statement.all(question.params) };
  } catch (error) {
    return { error: { message: error.message, code: error.code } };
  }
}
