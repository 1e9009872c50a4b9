import { Worker } from 'node:worker_threads';
import { StoreUnavailableError } from '../errors.ts';
import type { Clock } from '../model/clock.ts';
import type { Script, Shapes } from '../sql/port/driver.ts';
import type { Shape, Statement } from '../sql/port/statement.ts';
import type { SqlValue } from '../sql/port/values.ts';
import { NOW, positional } from './positional.ts';

/** What the thread answers to a statement. An error keeps its code: it says what is to be done. */
export type Answer = { rows: Shapes[Shape][] } | { error: { message: string; code: string | undefined } };

/**
 * Runs scripts that read a lot on a connection in a thread of its own: a walk over the whole database would
 * otherwise keep the event loop, and with it everybody's commits, waiting. One script at a time, each of
 * them at one moment of the database.
 */
export class Reader {
  readonly #path: string;
  readonly #busyTimeoutMs: number;
  readonly #clock: Clock;
  #thread: Worker | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string, busyTimeoutMs: number, clock: Clock) {
    this.#clock = clock;
    this.#path = path;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  run<T>(script: () => Script<T>): Promise<T> {
    const result = this.#last.then(() => this.#drive(script()));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#last;
    await this.#thread?.terminate();
    this.#thread = undefined;
  }

  async #drive<T>(script: Script<T>): Promise<T> {
    const thread = this.#start();
    // A thread doesn't keep the process alive, but somebody waits for this one now.
    thread.ref();
    try {
      let next = script.next([]);
      while (!next.done) {
        if ('batch' in next.value) throw new TypeError('A script that reads asked for a write');
        next = script.next(await ask(thread, next.value.statement, next.value.params, this.#clock.now()));
      }
      return next.value;
    } finally {
      // A transaction that stays open would keep the write-ahead log from being used anew.
      thread.postMessage('end');
      thread.unref();
    }
  }

  #start(): Worker {
    if (this.#thread) return this.#thread;
    const thread = new Worker(new URL('./reader-thread.js', import.meta.url), {
      name: 'kode-reader',
      workerData: { path: this.#path, busyTimeoutMs: this.#busyTimeoutMs },
      // The process's own flags may not suit a thread (`--input-type`), or cost it time (`--import`).
      execArgv: [],
    });
    thread.unref();
    const forget = () => {
      if (this.#thread === thread) this.#thread = undefined;
    };
    // Whoever waits for the thread is told by `ask`; for the next script there is another one.
    thread.on('error', forget);
    thread.on('exit', forget);
    this.#thread = thread;
    return thread;
  }
}

function ask(
  thread: Worker,
  statement: Statement<Shape>,
  params: readonly SqlValue[],
  now: number,
): Promise<Shapes[Shape][]> {
  const { text, order } = positional(statement);
  return new Promise((resolve, reject) => {
    const settle = (finish: () => void) => {
      thread.off('message', onMessage);
      thread.off('error', onError);
      thread.off('exit', onExit);
      finish();
    };
    const onMessage = (answer: Answer) =>
      settle(() => {
        if ('rows' in answer) resolve(answer.rows);
        else reject(Object.assign(new Error(answer.error.message), { code: answer.error.code }));
      });
    const onError = (cause: Error) => settle(() => reject(lost(cause.message, cause)));
    const onExit = (code: number) => settle(() => reject(lost(`it ended with code ${code}`)));
    thread.on('message', onMessage);
    thread.on('error', onError);
    thread.on('exit', onExit);
    thread.postMessage({
      text,
      params: order.map((index) => (index === NOW ? now : params[index])),
      shape: statement.shape,
    });
  });
}

function lost(reason: string, cause?: Error): StoreUnavailableError {
  return new StoreUnavailableError(
    `The thread that reads for statistics and checks failed: ${reason}. Call again; if it can't be started at all, check that the process may start threads and that its files weren't bundled without this package's reader-thread.js.`,
    { cause },
  );
}
