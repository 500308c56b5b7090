//! What resources answer to. A method that one does not know is answered 405, which a bare route would not do.
//!
//! Routes are listed as they are mounted, so that the description of the API can be held against them.

use actix_web::http::Method;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, Resource, Responder, guard};

/// A route: its method and its path, with the names of what is variable in braces. HEAD goes without saying.
pub type Listed = (Method, String);

/// Where resources are mounted, below a root.
pub struct Routes<'a> {
    config: &'a mut ServiceConfig,
    root: String,
    listed: &'a mut Vec<Listed>,
}

/// One resource and what it answers to.
pub struct Place {
    resource: Resource,
    methods: Vec<Method>,
}

impl<'a> Routes<'a> {
    /// Mounts into `config` and notes each route in `listed`.
    pub fn new(config: &'a mut ServiceConfig, listed: &'a mut Vec<Listed>) -> Self {
        Self { config, root: String::new(), listed }
    }

    /// Mounts a resource.
    pub fn at(&mut self, path: &str, furnish: impl FnOnce(Place) -> Place) -> &mut Self {
        let Place { resource, methods } = furnish(Place { resource: web::resource(path), methods: Vec::new() });
        let path = format!("{}{path}", self.root);
        self.listed.extend(methods.into_iter().map(|method| (method, path.clone())));
        self.config.service(resource);
        self
    }

    /// Mounts a resource that is only read.
    pub fn read<F, Args>(&mut self, path: &str, handler: F) -> &mut Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.at(path, |place| place.read(handler))
    }

    /// Mounts resources below `root`.
    pub fn below(&mut self, root: &str, mount: impl FnOnce(&mut Routes<'_>)) -> &mut Self {
        let (within, listed) = (format!("{}{root}", self.root), &mut *self.listed);
        self.config.service(web::scope(root).configure(|config| mount(&mut Routes { config, root: within, listed })));
        self
    }
}

impl Place {
    fn on<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.resource = self.resource.route(web::method(method.clone()).to(handler));
        self.methods.push(method);
        self
    }

    /// GET, and HEAD, which is the same without the body.
    pub fn read<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let mut place = self.on(Method::GET, handler.clone());
        place.resource = place.resource.route(web::route().guard(guard::Head()).to(handler));
        place
    }

    /// GET alone: where sockets begin.
    pub fn socket<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::GET, handler)
    }

    /// POST.
    pub fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::POST, handler)
    }

    /// DELETE.
    pub fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.on(Method::DELETE, handler)
    }

    /// Whatever method comes, for the handler to judge; `known` are those that it takes.
    pub fn any<F, Args>(mut self, known: &[Method], handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.resource = self.resource.route(web::route().to(handler));
        self.methods.extend_from_slice(known);
        self
    }
}
