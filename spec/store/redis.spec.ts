import { redisUrl } from '../support/servers.js';
import { describeStore } from './conformance.js';
import { redisSubject } from './redis/support.js';

describeStore('RedisStore', async limits => redisSubject(await redisUrl(), limits));
