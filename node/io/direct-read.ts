/**
 * Decrypts what arrives on an accepted TLS connection straight into buffers of ours.
 *
 * Node offers this (`onread`) only for sockets that dial. For accepted ones the runtime has the same machinery behind
 * symbols of net.Socket; this file is the only one that touches them. When anything of it is not as in the runtime
 * that is pinned in package.json, `readInto` returns false and the caller reads by 'data' events: slower, as correct.
 * A test fails when the pinned runtime no longer has it. Measured: see ops/decisions/0131.
 */
import type { TLSSocket } from 'node:tls'

export interface DirectReader {
  /** Where the next bytes go; not empty, and not touched by others until `read`. */
  readonly buffer: () => Buffer
  /** `count` bytes are in `buffer`, the one that was given last. False stops reading until `resume`. */
  readonly read: (count: number, buffer: Buffer) => boolean
}

/** Symbols that node:net gives every socket at construction. */
const symbolNames = { buffer: 'kBuffer', callback: 'kBufferCb', generator: 'kBufferGen' } as const

/**
 * Takes over reading of `socket` and starts it; 'data' is not emitted any more. False: this runtime or this socket
 * cannot, and nothing was changed.
 */
export function readInto(socket: TLSSocket, reader: DirectReader): boolean {
  // Bytes that were already read would be overtaken.
  if (socket.readableLength > 0 || socket.destroyed) return false
  const symbols = new Map(Object.getOwnPropertySymbols(socket).map((symbol) => [symbol.description, symbol]))
  const buffer = symbols.get(symbolNames.buffer)
  const callback = symbols.get(symbolNames.callback)
  const generator = symbols.get(symbolNames.generator)
  const handle: unknown = Reflect.get(socket, '_handle')
  if (buffer === undefined || callback === undefined || generator === undefined) return false
  if (typeof handle !== 'object' || handle === null) return false
  const useUserBuffer: unknown = Reflect.get(handle, 'useUserBuffer')
  if (typeof useUserBuffer !== 'function' || Reflect.get(socket, buffer) !== null) return false
  const first = reader.buffer()
  Reflect.set(socket, buffer, first)
  Reflect.set(socket, callback, reader.read)
  Reflect.set(socket, generator, reader.buffer)
  useUserBuffer.call(handle, first)
  socket.resume()
  return true
}
