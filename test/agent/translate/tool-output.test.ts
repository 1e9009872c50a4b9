import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { contentOf, outputOf } from '../../../src/agent/translate/tool-output.ts';
import { anyOutput, content, plain } from './arbitraries.ts';

describe('a tool’s output and the content of its block', () => {
  it.each([
    ['text', { type: 'text', value: 'a' }, { content: 'a' }],
    ['an error text', { type: 'error-text', value: 'a' }, { content: 'a', is_error: true }],
    ['JSON', { type: 'json', value: { a: 1 } }, { content: { a: 1 } }],
    ['a null', { type: 'json', value: null }, { content: null }],
    ['an empty list', { type: 'json', value: [] }, { content: [] }],
    ['an error in JSON', { type: 'error-json', value: [1] }, { content: [1], is_error: true }],
    [
      'several items',
      { type: 'content', value: [{ type: 'text', text: 'a' }] },
      { content: [{ type: 'text', text: 'a' }] },
    ],
    [
      'a JSON list of things with types',
      { type: 'json', value: [{ type: 'file', path: 'a' }] },
      { content: [{ type: 'file', path: 'a' }] },
    ],
  ])('is plain for %s', (_, output, block) => {
    expect(contentOf(output)).toEqual(block);
    expect(outputOf(block)).toEqual(output);
  });

  it.each([
    ['a JSON text', { type: 'json', value: 'a' }],
    ['a JSON list that looks like items', { type: 'json', value: [{ type: 'text', text: 'a' }] }],
    ['a JSON object that looks like an output', { type: 'json', value: { type: 'text', value: 'a' } }],
    ['options of its own', { type: 'text', value: 'a', providerOptions: { p: { a: 1 } } }],
    ['a denial', { type: 'execution-denied', reason: 'no' }],
    ['no items', { type: 'content', value: [] }],
  ])('is kept whole for %s', (_, output) => {
    expect(contentOf(output)).toEqual({ content: output });
    expect(outputOf(contentOf(output))).toEqual(output);
  });

  it('flags errors also where they are kept whole', () => {
    const output = { type: 'error-json', value: 'a' };
    expect(contentOf(output)).toEqual({ content: output, is_error: true });
  });

  it('tells an output of a later version of the SDK from JSON that looks like it', () => {
    const later = { type: 'hologram', layers: [1, 2] };
    const stored = contentOf(later);
    expect(outputOf(stored)).toEqual(later);
    expect(outputOf({ content: later })).toEqual({ type: 'json', value: later });
    const lookalike = { type: 'json', value: stored.content };
    expect(outputOf(contentOf(lookalike))).toEqual(lookalike);
  });

  it('shows a model the media blocks of a result', () => {
    const png = 'iVBORw0KGgoAAAAN';
    expect(
      outputOf({
        content: [
          { type: 'text', text: 'see' },
          { type: 'image', base64: png },
          { type: 'image', url: 'https://a.test/b.png', providerOptions: { p: { a: 1 } } },
          { type: 'image', file_id: 'file-1' },
          { type: 'file', base64: 'AAAA', mime_type: 'application/pdf', filename: 'a.pdf' },
          { type: 'audio', url: 'https://a.test/c.mp3', mime_type: 'audio/mpeg' },
          { type: 'file', file_id: 'file-2' },
        ],
      }),
    ).toEqual({
      type: 'content',
      value: [
        { type: 'text', text: 'see' },
        { type: 'image-data', data: png, mediaType: 'image/png' },
        { type: 'image-url', url: 'https://a.test/b.png', providerOptions: { p: { a: 1 } } },
        { type: 'image-file-id', fileId: 'file-1' },
        { type: 'file-data', data: 'AAAA', mediaType: 'application/pdf', filename: 'a.pdf' },
        { type: 'file-url', url: 'https://a.test/c.mp3', mediaType: 'audio/mpeg' },
        { type: 'file-id', fileId: 'file-2' },
      ],
    });
  });

  it('stores bytes and URLs of an item as text, and gives a URL back as one', () => {
    const stored = contentOf({
      type: 'content',
      value: [
        { type: 'file', mediaType: 'image/png', data: { type: 'data', data: new Uint8Array([1, 2, 3]) } },
        { type: 'file', mediaType: 'image/png', data: { type: 'url', url: new URL('https://a.test/') } },
      ],
    } as { type: string });
    expect(stored).toEqual({
      content: [
        { type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'AQID' } },
        { type: 'file', mediaType: 'image/png', data: { type: 'url', url: 'https://a.test/' } },
      ],
    });
    expect(outputOf(stored)).toEqual({
      type: 'content',
      value: [
        { type: 'file', mediaType: 'image/png', data: { type: 'data', data: 'AQID' } },
        { type: 'file', mediaType: 'image/png', data: { type: 'url', url: new URL('https://a.test/') } },
      ],
    });
  });

  it('is an empty text when a block has none', () => {
    expect(outputOf({ content: undefined })).toEqual({ type: 'text', value: '' });
  });

  it('leads from an output back to it', () => {
    fc.assert(
      fc.property(anyOutput, (output) => {
        expect(plain(outputOf(JSON.parse(JSON.stringify(contentOf(output)))))).toEqual(plain(output));
      }),
      { numRuns: 1_000 },
    );
  });

  it('gives any content a meaning that stays the same', () => {
    const block = fc.record({ content, is_error: fc.boolean() }, { requiredKeys: ['content'] });
    fc.assert(
      fc.property(block, (stored) => {
        const output = outputOf(stored);
        expect(plain(outputOf(contentOf(output)))).toEqual(plain(output));
      }),
      { numRuns: 1_000 },
    );
  });

  it('leads from a tool’s own JSON or text back to it', () => {
    const own = fc.oneof(fc.string(), fc.jsonValue());
    fc.assert(
      fc.property(
        fc.record({ content: own, is_error: fc.constant(true) }, { requiredKeys: ['content'] }),
        (block) => {
          expect(plain(contentOf(outputOf(block)))).toEqual(plain(block));
        },
      ),
    );
  });
});
