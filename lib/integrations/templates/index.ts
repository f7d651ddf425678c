export { type Fragment, type FragmentOptions, fragments } from './fragments.js';
