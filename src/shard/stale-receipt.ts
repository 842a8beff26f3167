import { SiltstoneError } from '../bytes/errors.js'

/** What a receipt is refused with under which nothing is held any more. */
export function staleReceipt(): SiltstoneError {
  return new SiltstoneError(
    'SILT_STALE_RECEIPT',
    'The message is not held under this receipt any more: it was settled, or its visibility timeout ended; whoever has it now settles it',
  )
}
