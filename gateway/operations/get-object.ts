/** GetObject: an object, one range or one part of it. Several ranges in one header are answered by the whole, as AWS does. */
import { defineOperation } from '../operation.ts'
import { decodeObjectRead, readObject } from '../s3/object-read.ts'

export const getObject = defineOperation({
  name: 'GetObject',
  method: 'GET',
  target: 'object',
  action: 's3:GetObject',
  versionAction: 's3:GetObjectVersion',
  findsObject: true,
  body: 'none',
  decode: decodeObjectRead,
  call: async (input, context) => {
    const read = await readObject(input, context, 'bytes')
    const range = read.range ?? { firstByte: 0, lastByte: read.bytes - 1 }
    const { signal } = context.call
    const { customerKey } = input
    const chunks = read.bytes === 0 ? undefined : read.object.read(range, { signal, customerKey })
    return { ...read, chunks }
  },
  encode: ({ range, bytes, headers, chunks }) => ({
    status: range === undefined ? 200 : 206,
    headers,
    ...(chunks === undefined ? {} : { body: { bytes, chunks } }),
  }),
})
