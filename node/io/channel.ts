/**
 * What both ends of a connection share: writing frames, and errors as payloads.
 *
 * Invariant: the frames of one tick leave in one write (one TLS record and one system call for many small calls).
 */
import type { Socket } from 'node:net'
import { ClusterError, isClusterErrorCode } from '../errors.ts'

/** TLS records carry at most this many bytes; a larger buffer for what arrives between bodies is never filled. */
export const scratchBytes = 16 * 1024

/** Where a process listens. */
export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * Queues one encoded frame and its body on `socket`. `flushed` is called when the socket no longer reads the body,
 * also when the connection died.
 */
export function writeFrame(
  socket: Socket,
  frame: Buffer,
  body: readonly Uint8Array[] = [],
  flushed?: () => void,
): void {
  if (socket.writableCorked === 0) {
    socket.cork()
    process.nextTick(uncork, socket)
  }
  if (body.length === 0) {
    socket.write(frame, flushed)
    return
  }
  socket.write(frame)
  if (bodyLength(body) >= UNCORKED_BYTES_MIN) socket.uncork()
  for (let i = 0; i < body.length - 1; i++) socket.write(body[i] ?? frame)
  socket.write(body[body.length - 1] ?? frame, flushed)
}

/**
 * Bodies from this size on are written one buffer at a time: TLS encrypts a lone buffer from where it lies, and copies
 * several into a fresh one first.
 */
const UNCORKED_BYTES_MIN = 64 * 1024

function uncork(socket: Socket): void {
  socket.uncork()
}

/** Total length of a body. */
export function bodyLength(body: readonly Uint8Array[]): number {
  let bytes = 0
  for (const part of body) bytes += part.length
  return bytes
}

/** The payload of an error frame. Field names are on the wire. */
export interface ErrorPayload {
  readonly code: string
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

/** What a peer may learn of `error`: operating errors as they are, of anything else only that it happened. */
export function errorToPayload(error: unknown): ErrorPayload {
  if (error instanceof ClusterError) {
    return { code: error.code, message: error.message, details: error.details }
  }
  return { code: 'Internal', message: 'internal error', details: {} }
}

/** The error that a peer answered; codes that this version does not know become Internal. */
export function errorFromPayload(payload: unknown, from: string): ClusterError {
  const { code, message, details } = Object(payload) as Partial<ErrorPayload>
  if (!isClusterErrorCode(code)) {
    return new ClusterError('Internal', `${from} answered with unknown error code ${String(code)}`)
  }
  return new ClusterError(code, `${from}: ${typeof message === 'string' ? message : 'no message'}`, {
    details: typeof details === 'object' && details !== null ? { ...details } : {},
  })
}
