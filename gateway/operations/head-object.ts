/** HeadObject: what GetObject would answer, without the bytes. */
import { defineOperation } from '../operation.ts'
import { decodeObjectRead, readObject } from '../s3/object-read.ts'

export const headObject = defineOperation({
  name: 'HeadObject',
  method: 'HEAD',
  target: 'object',
  action: 's3:GetObject',
  versionAction: 's3:GetObjectVersion',
  findsObject: true,
  body: 'none',
  decode: decodeObjectRead,
  call: (input, context) => readObject(input, context, 'headers'),
  encode: ({ range, headers }) => ({ status: range === undefined ? 200 : 206, headers }),
})
