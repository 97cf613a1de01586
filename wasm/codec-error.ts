/** The one error class of this directory: an argument, a pattern or a machine that the codec cannot serve. */
export class CodecError extends Error {
  override readonly name = 'CodecError'
}
