import { describe, expect, it } from 'vitest';
import { Opening } from '../../src/store/opening.ts';

/** An opening whose attempts end when the test says so. */
function setUp() {
  const attempts: { signal: AbortSignal; resolve(value: string): void; reject(error: unknown): void }[] = [];
  const opening = new Opening<string>(
    (signal) => new Promise((resolve, reject) => void attempts.push({ signal, resolve, reject })),
  );
  const attempt = async (n: number) => {
    await settle();
    const one = attempts[n];
    if (!one) throw new Error(`There is no attempt ${n}`);
    return one;
  };
  return { opening, attempts, attempt };
}

/** Whatever follows without anything from outside. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** What became of a promise so far. */
function watched<T>(promise: Promise<T>): { result?: T; error?: unknown } {
  const seen: { result?: T; error?: unknown } = {};
  promise.then(
    (result) => void Object.assign(seen, { result }),
    (error: unknown) => void Object.assign(seen, { error }),
  );
  return seen;
}

describe('an opening', () => {
  const reason = new Error('enough');

  it('is one for all that wait, and for all that come later', async () => {
    const { opening, attempts, attempt } = setUp();
    const waiting = [
      opening.now(),
      opening.now(new AbortController().signal),
      opening.whenOpen(async (it) => it),
    ];
    (await attempt(0)).resolve('open');
    expect(await Promise.all([...waiting, opening.now()])).toEqual(Array(4).fill('open'));
    expect(attempts).toHaveLength(1);
    expect(opening.ready).toBe('open');
  });

  it("ends for one caller alone where others wait: those don't hear of it", async () => {
    const { opening, attempt } = setUp();
    const stop = new AbortController();
    const mine = watched(opening.now(stop.signal));
    const hers = watched(opening.now());
    const { signal, resolve } = await attempt(0);
    stop.abort(reason);
    await settle();
    expect(mine).toEqual({ error: reason });
    expect(signal.aborted).toBe(false);
    resolve('open');
    await settle();
    expect(hers).toEqual({ result: 'open' });
  });

  it('itself ends with the last of those who wait, and the caller sees the end of it', async () => {
    const { opening, attempt } = setUp();
    const stop = new AbortController();
    const calls = [
      watched(opening.now(stop.signal)),
      watched(opening.whenOpen(async () => 'x', stop.signal)),
    ];
    const { signal, reject } = await attempt(0);
    stop.abort(reason);
    await settle();
    expect(calls).toEqual([{ error: reason }, {}]);
    expect(signal).toMatchObject({ aborted: true, reason });
    reject(new Error('rolled back'));
    await settle();
    expect(calls).toEqual([{ error: reason }, { error: reason }]);
  });

  it('begins anew when the one that was ended is over, not beside it', async () => {
    const { opening, attempts, attempt } = setUp();
    const stop = new AbortController();
    const first = watched(opening.now(stop.signal));
    const { reject } = await attempt(0);
    stop.abort(reason);
    const [next, impatient] = [watched(opening.now()), new AbortController()];
    const third = watched(opening.now(impatient.signal));
    await settle();
    expect(attempts).toHaveLength(1);
    impatient.abort(reason);
    await settle();
    expect(third).toEqual({ error: reason });
    reject(new Error('rolled back'));
    (await attempt(1)).resolve('open');
    await settle();
    expect([first, next]).toEqual([{ error: reason }, { result: 'open' }]);
    expect(attempts).toHaveLength(2);
  });

  it('that comes to its goal although it was to end is used', async () => {
    const { opening, attempts, attempt } = setUp();
    const stop = new AbortController();
    const first = watched(opening.now(stop.signal));
    const { resolve } = await attempt(0);
    stop.abort(reason);
    const next = watched(opening.now());
    resolve('open');
    await settle();
    expect([first, next]).toEqual([{ result: 'open' }, { result: 'open' }]);
    expect(attempts).toHaveLength(1);
  });

  it('is tried again after a failure, which everybody hears of who waited', async () => {
    const { opening, attempts, attempt } = setUp();
    const calls = [watched(opening.now()), watched(opening.now(new AbortController().signal))];
    const error = new Error('no');
    (await attempt(0)).reject(error);
    await settle();
    expect(calls).toEqual([{ error }, { error }]);
    const next = opening.now();
    (await attempt(1)).resolve('open');
    expect(await next).toBe('open');
    expect(attempts).toHaveLength(2);
  });

  it('is for nobody whose signal has aborted', async () => {
    const { opening, attempts } = setUp();
    await expect(opening.now(AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(attempts).toHaveLength(0);
  });
});
