/** What a call ends in: the code of its S3 error, or `no error`. Anything else that is thrown is a failure. */
import { S3Error } from '../../../gateway/s3/errors.ts'

export function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (error instanceof S3Error) return error.code
    throw error
  }
  return 'no error'
}

export async function codeOfPromise(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    if (error instanceof S3Error) return error.code
    throw error
  }
  return 'no error'
}
