const OF_SIGNALS = Object.getOwnPropertyDescriptors(AbortSignal.prototype);

/**
 * Has a signal look before it answers. Timers of a process that stood still run late, and whatever runs before
 * them would take its signal's word: `look` aborts it, where that is due. It stays the signal that it is, with its
 * events, for `AbortSignal.any`, `fetch` and all others.
 */
export function lookingSignal(signal: AbortSignal, look: () => void): AbortSignal {
  const { aborted, reason, throwIfAborted } = OF_SIGNALS;
  const answer =
    <T>(original: (() => T) | undefined) =>
    (): T | undefined => {
      look();
      return original?.call(signal);
    };
  return Object.defineProperties(signal, {
    aborted: { get: answer(aborted.get), enumerable: true },
    reason: { get: answer(reason.get), enumerable: true },
    throwIfAborted: { value: answer(throwIfAborted.value) },
  });
}

/** `AbortSignal.any`, of signals that look. */
export function anyLookingSignal(signals: readonly AbortSignal[]): AbortSignal {
  return lookingSignal(AbortSignal.any([...signals]), () => {
    for (const signal of signals) void signal.aborted;
  });
}
