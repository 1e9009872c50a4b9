import type { Citation } from './answer.ts';

const TYPES: Record<number, string> = {
  400: 'invalid_request_error',
  401: 'invalid_request_error',
  404: 'invalid_request_error',
  429: 'requests',
};

/** An HTTP error as both OpenAI formats word it. */
export function openaiErrorBody(status: number, message: string): unknown {
  const type = TYPES[status] ?? 'server_error';
  return { error: { message, type, param: null, code: status === 429 ? 'rate_limit_exceeded' : null } };
}

/** A citation as both OpenAI formats place it in its text. */
export function urlCitation(text: string, { url, title, citedText }: Citation) {
  const start = Math.max(0, text.indexOf(citedText));
  return { start_index: start, end_index: start + citedText.length, url, title };
}
