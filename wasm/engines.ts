/**
 * Which engine runs which code: the one place that knows all of them.
 */
import { byteForm } from './byte-form.ts'
import type { Code } from './code.ts'
import type { Engine } from './engine.ts'
import { ProductEngine } from './product-engine.ts'
import { slicedForm } from './sliced-form.ts'
import { XorEngine } from './xor-engine.ts'

/** A new engine for `code`; it keeps its compiled modules, so callers keep it. */
export function engineFor(code: Code): Engine {
  if (code.spec.code === 'vandermonde-11d') return new ProductEngine(byteForm(code.field))
  return code.width === 8 ? new ProductEngine(slicedForm(code.field)) : new XorEngine(code)
}
