import { expect } from 'vitest';

/** The call is refused with this error. */
export async function expectFailure(
  error: new (...args: never[]) => Error,
  call: Promise<unknown>,
): Promise<void> {
  await expect(call).rejects.toThrow(error);
}
