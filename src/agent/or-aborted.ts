/**
 * What `promise` gives, or the signal's reason once that is aborted: code of others may never settle, and a turn
 * has to stop all the same. What settles without waiting for anything is taken even then.
 */
export async function orAborted<T>(signal: AbortSignal, promise: PromiseLike<T>): Promise<T> {
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    stop = () => void setImmediate(() => reject(signal.reason));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
