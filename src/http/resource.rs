//! What a resource answers to. A method that it does not know is answered 405, which a bare route would not do.

use actix_web::{FromRequest, Handler, Resource, Responder, guard, web};

/// A resource to read: GET, and HEAD, which is the same without the body.
pub fn read<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    let head = web::route().guard(guard::Head()).to(handler.clone());
    web::resource(path).route(web::get().to(handler)).route(head)
}

/// Where sockets begin: GET alone.
pub fn socket<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path).route(web::get().to(handler))
}
