import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Counts } from './counts.ts';
import type { Errand, Place, Report } from './errand.ts';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));

/** A package at work in a process of its own. */
export class Side {
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
  }

  static async start(place: Place): Promise<Side> {
    const child = fork(CHILD, [JSON.stringify(place)], { execArgv: ['--expose-gc', '--import', 'tsx'] });
    const side = new Side(child);
    await side.#answer();
    return side;
  }

  async prepare(workload: string): Promise<void> {
    await this.#ask({ workload, what: 'prepare' });
  }

  /** Milliseconds of a round. */
  async time(workload: string): Promise<number> {
    return (await this.#ask({ workload, what: 'time' })).time ?? Number.NaN;
  }

  async count(workload: string): Promise<Counts> {
    return (await this.#ask({ workload, what: 'count' })).counts ?? { bytes: Number.NaN };
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return;
    const ended = once(this.#process, 'exit');
    this.#process.send('end');
    await ended;
  }

  async #ask(errand: Errand): Promise<Report> {
    const answer = this.#answer();
    this.#process.send(errand);
    return answer;
  }

  #answer(): Promise<Report> {
    return new Promise((resolve, reject) => {
      const onMessage = (report: unknown) => {
        this.#process.off('exit', onExit);
        const { error, ...rest } = report as Report;
        if (error === undefined) resolve(rest);
        else reject(new Error(error));
      };
      const onExit = (code: number | null) => {
        this.#process.off('message', onMessage);
        reject(new Error(`The process of a side ended with code ${code}.`));
      };
      this.#process.once('message', onMessage);
      this.#process.once('exit', onExit);
    });
  }
}
