/** What was read isn't shaped as it must be; turned into a `CorruptDataError` that names the file. */
export class MalformedError extends Error {}

/** Reads a parsed object key by key, and refuses what isn't of the expected kind. */
export class Fields {
  readonly #values: Record<string, unknown>;
  readonly #where: string;

  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new MalformedError(`${where} is no object`);
    }
    this.#values = value as Record<string, unknown>;
    this.#where = where;
  }

  has(key: string): boolean {
    return Object.hasOwn(this.#values, key);
  }

  integer(key: string): number {
    const value = this.#values[key];
    return Number.isSafeInteger(value) ? Number(value) : this.#refuse(key, 'whole number');
  }

  /** A position or an ordinal. */
  count(key: string): number {
    const value = this.integer(key);
    return value >= 0 ? value : this.#refuse(key, 'number from 0 on');
  }

  number(key: string): number {
    const value = this.#values[key];
    return typeof value === 'number' ? value : this.#refuse(key, 'number');
  }

  boolean(key: string): boolean {
    const value = this.#values[key];
    return typeof value === 'boolean' ? value : this.#refuse(key, 'boolean');
  }

  text(key: string): string {
    const value = this.#values[key];
    return typeof value === 'string' ? value : this.#refuse(key, 'string');
  }

  oneOf<T extends string>(key: string, words: readonly T[]): T {
    return words.find((word) => word === this.#values[key]) ?? this.#refuse(key, 'known word');
  }

  array(key: string): unknown[] {
    const value = this.#values[key];
    return Array.isArray(value) ? value : this.#refuse(key, 'array');
  }

  object(key: string): Fields {
    return new Fields(this.#values[key], `${this.#where}.${key}`);
  }

  value(key: string): unknown {
    return this.#values[key];
  }

  /** The JSON text of a payload, exactly as it was written: stringifying what was parsed gives it again. */
  payload(key: string): string {
    return JSON.stringify(this.#values[key]) ?? this.#refuse(key, 'value');
  }

  /** `{ [key]: read() }` where the key is there, else nothing: for spreading. */
  optional<K extends string, T>(key: K, read: (key: K) => T): { [P in K]?: T } {
    return this.has(key) ? ({ [key]: read(key) } as { [P in K]?: T }) : {};
  }

  #refuse(key: string, expected: string): never {
    throw new MalformedError(`${this.#where}.${key} is no ${expected}`);
  }
}
