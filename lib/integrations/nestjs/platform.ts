import type { Request, Response } from 'express';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { visitOf as visitOfExpress } from '../express/index.js';
import { fieldsOf, sendKept, visitOf as visitOfFastify } from '../fastify/index.js';
import { capture, sendAnswer } from '../http/capture.js';
import type { Answer } from '../views/answer.js';
import type { Decision, Visit } from '../views/view.js';

/** A request and its response, on whichever platform Nest runs. */
export interface Exchange {
  readonly visit: Visit<unknown>;
  /** See {@link capture}: on both platforms Nest writes the answer after the interceptors have returned. */
  capture(decide: (answer: Answer) => Decision): Promise<Answer | undefined>;
  /** Sends an answer, whatever Nest is about to send afterwards: a body, a template, a redirect. */
  answerInstead(answer: Answer): void;
}

/** `undefined` if it is neither Express nor Fastify. */
export function exchangeOf(request: object, response: object): Exchange | undefined {
  if ('hijack' in response) {
    return ofFastify(request as FastifyRequest, response as FastifyReply);
  }
  return 'setHeader' in response ? ofExpress(request as Request, response as Response) : undefined;
}

function ofExpress(request: Request, response: Response): Exchange {
  return {
    visit: visitOfExpress(request),
    capture: decide => capture(request, response, decide),
    answerInstead(answer) {
      sendAnswer(response, answer);
      const nothing = () => response;
      Object.assign(response, { send: nothing, json: nothing, render: nothing, redirect: nothing });
    },
  };
}

function ofFastify(request: FastifyRequest, reply: FastifyReply): Exchange {
  return {
    visit: visitOfFastify(request),
    // some of the fields are on the reply, and reach the response when it is written
    capture: decide => capture(request.raw, reply.raw, decide, fieldsOf(reply)),
    answerInstead(answer) {
      sendKept(reply, answer);
      const nothing = () => reply;
      Object.assign(reply, { status: nothing, send: nothing, view: nothing, redirect: nothing });
    },
  };
}
