/**
 * Siltstone as a driver of unstorage.
 *
 * @packageDocumentation
 */

export {
  type SiltstoneDriver,
  type SiltstoneDriverOptions,
  siltstoneDriver,
} from './faces/unstorage/driver.js'
