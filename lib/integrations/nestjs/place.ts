import { type ExecutionContext, type Type, type VersioningOptions, VersioningType } from '@nestjs/common';
import { HOST_METADATA, METHOD_METADATA, PATH_METADATA, VERSION_METADATA } from '@nestjs/common/constants.js';
import { type ModuleRef, ModulesContainer } from '@nestjs/core';
import { claimPlace, type Place, textOf } from '../views/place.js';
import type { ViewRequest } from '../views/view.js';
import { VIEW } from './view_of.js';

/** Applications whose views are registered. */
const looked = new WeakSet<object>();

/** The place of a view: its controller and method. */
export function placeOf(context: ExecutionContext, modules: ModuleRef): Place {
  const container = modules.get(ModulesContainer, { strict: false });
  if (!looked.has(container)) {
    looked.add(container);
    claimAll(container);
  }
  return placeIn(container, context.getClass(), context.getHandler() as Method);
}

/** Registers all views of an application, so that methods with the same text are known before the first request. */
function claimAll(container: ModulesContainer): void {
  const controllers = [...container.values()].flatMap(module => [...module.controllers.values()]);
  for (const { metatype } of controllers) {
    for (const method of metatype ? methodsOf(metatype as Type) : []) {
      if (hasView(metatype as Type) || hasView(method)) {
        claimPlace(placeIn(container, metatype as Type, method));
      }
    }
  }
}

function* methodsOf(controller: Type): Generator<Method> {
  const seen = new Set<string>();
  for (
    let holder = controller.prototype;
    holder && holder !== Object.prototype;
    holder = Object.getPrototypeOf(holder)
  ) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
      if (name !== 'constructor' && typeof value === 'function' && !seen.has(name)) {
        seen.add(name);
        yield value as Method;
      }
    }
  }
}

type Method = (...args: any[]) => unknown;

function hasView(target: object): boolean {
  return Reflect.getMetadata(VIEW, target) !== undefined;
}

/**
 * Includes the application, because two applications of one process may inject different services into a controller.
 */
function placeIn(container: ModulesContainer, controller: Type, method: Method): Place {
  return { parts: [method, controller, container], describe: () => `Nest ${describe(controller, method)}` };
}

function describe(controller: Type, method: Method): string {
  const routeOf = (target: object) =>
    [PATH_METADATA, METHOD_METADATA, VERSION_METADATA, HOST_METADATA].map(key =>
      [Reflect.getMetadata(key, target)].flat().map(textOf),
    );
  return JSON.stringify([controller.name, routeOf(controller), routeOf(method), textOf(method)]);
}

/** The part of a request that selects a version, because several versions may lead to one method. */
export function versionOf(
  request: object,
  modules: ModuleRef,
): Pick<ViewRequest<unknown>, 'chosen' | 'choosing'> {
  const { container } = modules as unknown as { container?: Versioned };
  const versioning = container?.applicationConfig?.getVersioning();
  switch (versioning?.type) {
    case VersioningType.HEADER:
      return { choosing: [versioning.header.toLowerCase()] };
    case VersioningType.MEDIA_TYPE:
      return { choosing: ['accept'] };
    case VersioningType.CUSTOM:
      return { chosen: versioning.extractor(request) };
    default:
      return {}; // the version is in the path
  }
}

/** Private members of `ModuleRef`. */
interface Versioned {
  readonly applicationConfig?: { getVersioning(): VersioningOptions | undefined };
}
