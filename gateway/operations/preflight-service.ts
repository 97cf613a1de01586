/** PreflightService: no page may ask for anything that is in no bucket. */
import { defineOpenOperation } from '../operation.ts'
import { decodePreflight, preflight } from '../s3/cors.ts'

export const preflightService = defineOpenOperation({
  name: 'PreflightService',
  method: 'OPTIONS',
  target: 'service',
  action: 's3:Preflight',
  decode: ({ headers }) => decodePreflight(headers),
  call: async (asked) => preflight(undefined, asked, 'SERVICE'),
  encode: (headers) => ({ status: 200, headers }),
})
