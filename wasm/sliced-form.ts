/**
 * Products over GF(2^8) on bit-sliced packets: eight packets of 16 bytes hold the eight bits of 128 symbols.
 *
 * Invariant: the same layout and the same products as a generated XOR kernel of width 8; one function a constant.
 */
import type { BinaryField } from './field.ts'
import { matrixOf } from './matrix.ts'
import type { ProductForm } from './product-engine.ts'
import { encodeModule, FunctionBody, I32 } from './wasm-module.ts'
import { emitSteps, PACKET_BYTES } from './xor-kernel.ts'
import { bitRows, shareSums } from './xor-program.ts'
import { scheduleEagerly } from './xor-schedule.ts'

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
  const steps = scheduleEagerly(shareSums(bitRows(field, product), field.width))
  const blockBytes = field.width * PACKET_BYTES
  const body = new FunctionBody(3)
  return body.loop(() => {
    const offset = (word: number): number => word * PACKET_BYTES
    emitSteps(body, steps, {
      mode: 'add',
      source: (word) => ({ base: 0, offset: offset(word) }),
      target: (word) => ({ base: 1, offset: offset(word) }),
    })
    for (const pointer of [0, 1]) body.get(pointer).i32(blockBytes).plain('i32.add').set(pointer)
    body.get(0).get(2).plain('i32.lt_u').branchIf(0)
  })
}
