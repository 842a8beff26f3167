/**
 * Siltstone as the storage of Keyv 5 and 6.
 *
 * @packageDocumentation
 */

export { KeyvSiltstone, type KeyvSiltstoneItem, type KeyvSiltstoneOptions } from './faces/keyv/keyv.js'
