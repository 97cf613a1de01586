/**
 * Products over GF(2^8) on bit-sliced packets: eight packets of 32 bytes hold the eight bits of 256 symbols.
 *
 * Invariant: the same layout and the same products as a generated XOR kernel of width 8; one function a constant.
 */
import type { BinaryField } from './field.ts'
import { matrixOf } from './matrix.ts'
import type { ProductForm } from './product-engine.ts'
import { encodeModule, FunctionBody, I32 } from './wasm-module.ts'
import { emitAdvance, PACKET_BYTES, StepEmitter } from './xor-kernel.ts'
import { eagerPriorities, eventsOf, orderBy } from './xor-order.ts'
import { bitRows, shareSums } from './xor-program.ts'
import { assignRegisters } from './xor-registers.ts'

/** Eight words in, eight out: more than any product needs, so nothing is spilled. */
const REGISTERS = 24

export function slicedForm(field: BinaryField): ProductForm {
  const module = new WebAssembly.Module(slicedModule(field))
  return {
    blockBytes: field.width * PACKET_BYTES,
    groupMax: 1,
    tableBytes: 0,
    instantiate: (memory) => {
      const { exports } = new WebAssembly.Instance(module, { env: { memory } })
      const byConstant = Array.from(
        { length: field.size },
        (_, constant) => exports[`times${constant}`] as MultiplyAdd,
      )
      return {
        multiplyAdd: (source, bytes, [target], [constant]) => {
          if (constant && target !== undefined) byConstant[constant]?.(source, target, source + bytes)
        },
      }
    },
  }
}

type MultiplyAdd = (source: number, target: number, sourceEnd: number) => void

function slicedModule(field: BinaryField): Uint8Array<ArrayBuffer> {
  const functions = Array.from({ length: field.size - 1 }, (_, index) => {
    const constant = index + 1
    const body = multiplyAddBody(field, constant)
    return { name: `times${constant}`, parameters: [I32, I32, I32], results: [], body } as const
  })
  return encodeModule(functions)
}

function multiplyAddBody(field: BinaryField, constant: number): FunctionBody {
  const product = matrixOf({ rows: 1, columns: 1 }, () => constant)
  const events = eventsOf(shareSums(bitRows(field, product), field.width))
  const { steps } = assignRegisters(events, orderBy(events, eagerPriorities(events)), REGISTERS)
  const blockBytes = field.width * PACKET_BYTES
  const [source, target, sourceEnd] = [0, 1, 2]
  const body = new FunctionBody(3)
  const emitter = new StepEmitter(body, steps, {
    mode: 'add',
    inputs: field.width,
    source: (word) => ({ base: source, offset: word * PACKET_BYTES }),
    target: (word) => ({ base: target, offset: word * PACKET_BYTES }),
    spillAddress: 0,
    spillWordsMax: 0,
  })
  return body.loop(() => {
    emitter.emit([0])
    for (const address of [source, target]) emitAdvance(body, { address, blockBytes, bothHalves: false })
    body.get(source).get(sourceEnd).plain('i32.lt_u').branchIf(0)
  })
}
