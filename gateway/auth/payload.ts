/**
 * What `x-amz-content-sha256` says about a body: how it is framed and what vouches for its bytes. Pure.
 * Source: AWS, "Authenticating Requests (AWS Signature Version 4)", table of payload options.
 */
import { headerNotImplemented, invalidArgument, S3Error } from '../s3/errors.ts'
import type { ChunkSigning } from './chunked.ts'

export type Payload =
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'hash'; readonly sha256: string }
  | { readonly kind: 'chunked-signed'; readonly trailer: boolean; readonly signing: ChunkSigning }
  | { readonly kind: 'chunked-unsigned'; readonly trailer: true }

export const unsignedPayload = 'UNSIGNED-PAYLOAD'
const streamingSigned = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD'
const streamingSignedTrailer = 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER'
const streamingUnsignedTrailer = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'

/** `text` stood in the canonical request, so it is what the client signed. `signing` starts the chain of chunk signatures. */
export function parsePayload(text: string, signing: () => ChunkSigning): Payload {
  switch (text) {
    case unsignedPayload:
      return { kind: 'unsigned' }
    case streamingSigned:
      return { kind: 'chunked-signed', trailer: false, signing: signing() }
    case streamingSignedTrailer:
      return { kind: 'chunked-signed', trailer: true, signing: signing() }
    case streamingUnsignedTrailer:
      return { kind: 'chunked-unsigned', trailer: true }
  }
  if (/^[0-9a-f]{64}$/.test(text)) return { kind: 'hash', sha256: text }
  if (text.startsWith('STREAMING-AWS4-ECDSA-')) throw headerNotImplemented('x-amz-content-sha256')
  throw invalidArgument(
    'x-amz-content-sha256',
    text,
    'x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.',
  )
}

/** Header-signed requests must say it. Throws InvalidRequest. */
export function requiredPayloadText(header: string | undefined): string {
  if (header !== undefined) return header
  throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256')
}
